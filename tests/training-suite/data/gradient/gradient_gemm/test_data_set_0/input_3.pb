B
upstream_yJ:#?l£¿¾¿?y5s¿¬Œ~?b—?