B
upstream_yJön2¿o^¤¿#‡w?=7?