B
upstream_yJ ƒ<Q?PÐa¿1H?Úú¬¿%pB? ¿ìúJ¿PRT?