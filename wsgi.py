"""Entry of the web process: `gunicorn -c config/gunicorn.conf.py wsgi:app`."""

from speakr.app import create_app

app = create_app()
