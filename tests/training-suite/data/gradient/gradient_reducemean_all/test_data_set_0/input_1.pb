B
upstream_yJ.j¢¿