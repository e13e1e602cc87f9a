from chassis.main import main
from payments.settings import Settings

if __name__ == "__main__":
    main("payments", Settings)
