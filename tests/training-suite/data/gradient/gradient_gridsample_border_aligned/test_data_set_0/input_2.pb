B
upstream_yJ )ä
?²ôŸ?…vA¿øŒ¿M–?—d`?vµ¿nÀ¿