"""APIs of other products, so that their clients work after a change of the base URL.

One package per product, with one `ApiFamily` each. They translate between their product's API and services; what is
new for Speakr is a service that the native API offers too. No package imports another.
"""
