"""`python -m deploy.checks`: print the sizes, and fail when a link in the documentation is broken."""

import sys

from deploy.checks import links, sizes

if __name__ == "__main__":
    sizes.show()
    broken = links.broken_links(links.documents())
    print("\n".join(broken) or "all links in the documentation lead somewhere")
    sys.exit(1 if broken else 0)
