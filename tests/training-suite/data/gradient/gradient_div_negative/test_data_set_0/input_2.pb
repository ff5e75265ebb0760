B
upstream_yJ„E¿mz”¿Sb?Áë'¿æ¤r¿}ûd?