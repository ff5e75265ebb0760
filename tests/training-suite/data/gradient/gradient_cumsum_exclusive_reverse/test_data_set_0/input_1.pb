B
upstream_yJ öÚy¿zÚV¿êHm?À_]¿™ú_?ê~3?v¨?ígC?