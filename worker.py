"""Entry of the worker process: `python worker.py`, or `speakr work`."""

from speakr.app import create_core_app
from speakr.jobs.worker import work

if __name__ == "__main__":
    work(create_core_app())
