B
upstream_yJ@ ¿-?‰@¿‹FN?ÓQ²¿éµ?2äˆ¿Œ?õ×¿?ütf¿ÔN¹¿T{o?BgF¿§X²?©¿K,g¿aÐ¿