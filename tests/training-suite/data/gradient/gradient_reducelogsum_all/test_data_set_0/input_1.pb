B
upstream_yJ–.¯?