from carts.settings import Settings
from chassis.main import main

if __name__ == "__main__":
    main("carts", Settings)
