B
upstream_yJ°¿ê–?½®µ?ºl?ß'‡?C~¹¿