Bd_scaleJm
!A}©0ап"ю