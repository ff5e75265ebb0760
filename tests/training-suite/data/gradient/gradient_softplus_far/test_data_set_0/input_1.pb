B
upstream_yJ!N¿ÞÑœ¿š°›?/ÕQ¿’Ú´¿Öã ¿