B
upstream_yJ$k‹?ðz‰?S4h?fÑT?Ç·ˆ¿rK‰?
Ð°¿¡¹„¿Ý‘Œ¿