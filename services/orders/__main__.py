from chassis.main import main
from orders.settings import Settings

if __name__ == "__main__":
    main("orders", Settings)
