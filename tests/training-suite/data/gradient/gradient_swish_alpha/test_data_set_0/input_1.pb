B
upstream_yJ<¾I¡¿ù«g?!b‡¿ù+?ùç'¿ÛcZ¿‚xo?ÎÒ:?~"?Ý×ƒ¿q)U?f9y¿E´‚?Ç°M¿·Q?