"""`python -m registry serve`"""

from registry.serve import main

if __name__ == "__main__":
    main()
