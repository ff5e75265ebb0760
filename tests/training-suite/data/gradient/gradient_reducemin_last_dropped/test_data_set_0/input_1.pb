B
upstream_yJ(n›?d£¿PX,¿ª¿Ùñ‡¿»+!?