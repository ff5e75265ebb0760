B
upstream_yJ.‘–¿ä?Ğq?îx¹?‰ñ–¿KBh?