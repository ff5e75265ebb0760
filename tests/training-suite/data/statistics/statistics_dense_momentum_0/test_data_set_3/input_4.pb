BvarianceJá
ç>c	g;ÊD‰A