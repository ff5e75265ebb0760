B
upstream_yJ¸]?T©?(7³¿°#S?