"""Ways to prove who is asking. An API family lists those that it takes, in the order in which they are tried."""
