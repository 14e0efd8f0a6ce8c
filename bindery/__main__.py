"""`python -m bindery`."""

from bindery.app import main

main()
