"""`python -m storefront serve`"""

from chassis.main import main
from storefront.settings import Settings

if __name__ == "__main__":
    main("storefront", Settings)
