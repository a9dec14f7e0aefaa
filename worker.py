"""Entry of the worker process: `python worker.py`, or `speakr work`."""

from speakr import private_files
from speakr.app import create_core_app
from speakr.jobs.worker import work

if __name__ == "__main__":
    private_files.make_private()
    work(create_core_app())
