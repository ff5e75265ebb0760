B
upstream_yJ-NA¿Ý¿i7?¥b—?è‚<?m>¿