from accounts.settings import Settings
from chassis.main import main

if __name__ == "__main__":
    main("accounts", Settings)
