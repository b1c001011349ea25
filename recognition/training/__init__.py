"""Makes the models again from data. Needs the extra `training`; nothing else of the product imports it."""
