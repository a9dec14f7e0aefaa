"""Users and what belongs to them: credentials, groups, shares, budgets and notices."""
