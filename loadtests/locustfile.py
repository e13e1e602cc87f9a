"""The default entry for Locust: `locust -f loadtests/locustfile.py --host http://127.0.0.1:8080`."""

from loadtests.shoppers import Shopper

__all__ = ["Shopper"]
