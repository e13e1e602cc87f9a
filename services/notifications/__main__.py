from chassis.main import main
from notifications.settings import Settings

if __name__ == "__main__":
    main("notifications", Settings)
