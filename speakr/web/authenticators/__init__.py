"""Ways to authenticate a request. An API family lists those that it accepts, in the order in which they are tried."""
