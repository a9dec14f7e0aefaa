"""Entry of the web process: `gunicorn -c config/gunicorn.conf.py wsgi:app`."""

from speakr import private_files
from speakr.app import create_app

private_files.make_private()
app = create_app()
