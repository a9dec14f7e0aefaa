"""`python -m speakr` is the same as the console script `speakr`."""

from speakr.cli import main

if __name__ == "__main__":
    main()
