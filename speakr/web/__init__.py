"""Code that all API families share: authentication, rate limits, uploads, downloads, live streams."""
