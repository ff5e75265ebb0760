B
upstream_yJ╬U·©lо©┐├╕©vb©ам-©Й&©