"""The domain in plain Python: types, rules, errors, events. Imports no other package of Speakr but itself."""
