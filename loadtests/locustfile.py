"""The default entry for Locust: `locust -f loadtests/locustfile.py --host http://127.0.0.1:8080`.

SOUK_SHAPE, such as `0:10,60:100`, makes as many shoppers come as the profile says (seconds:users); its last
point is the end.
"""

import math
import os

from loadtests.shapes import as_locust_shape, parse_profile
from loadtests.shoppers import Shopper

__all__ = ["Shopper"]

if shape := os.environ.get("SOUK_SHAPE"):
    profile = parse_profile(shape)
    Shape = as_locust_shape(profile, profile.points[-1][0] or math.inf)
