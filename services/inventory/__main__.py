from chassis.main import main
from inventory.settings import Settings

if __name__ == "__main__":
    main("inventory", Settings)
