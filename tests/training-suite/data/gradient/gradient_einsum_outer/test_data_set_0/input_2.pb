B
upstream_yJ'tШ?▒r%?Ш╝╗┐Дл┐нк?_ЄБ┐