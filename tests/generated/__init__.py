"""A client generated from the OpenAPI document, used against a listening server."""
