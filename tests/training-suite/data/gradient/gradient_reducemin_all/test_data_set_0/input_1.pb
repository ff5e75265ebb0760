B
upstream_yJ¤š?