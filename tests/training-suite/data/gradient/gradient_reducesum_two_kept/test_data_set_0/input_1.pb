B
upstream_yJ8æ¿*_¿]Œ¿