"""A client that nobody wrote: generated from the API's description, then used against a server that listens."""
