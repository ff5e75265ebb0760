B
upstream_yJ0io¿Wÿ?à-h?p°¿NŠ ¿$E-¿
¬0¿w{‰?á©¿ìíB?à<3?FŒƒ?