B
upstream_yJ¿qh¿Š?lµµ?