"""`speakr up` and the operator's commands: start, supervise and prepare a server."""
